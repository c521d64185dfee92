import { readFileSync } from "node:fs";
import { decodeActivities } from "./src/fit/index.ts";
import { crc16, walk, viewOf } from "./src/fit/frame.ts";
import { survey } from "./src/fit/survey.ts";
import { legsOf } from "./src/fit/legs.ts";
import { readRows } from "./src/fit/rows.ts";
import { developerColumnsOf } from "./src/fit/columns.ts";
const f=process.argv[2]; const b=new Uint8Array(readFileSync("/work/shared/fit-corpus/"+f)); const v=viewOf(b);
const T:Record<string,number[]>={}; const m=(k:string,fn:()=>void)=>{const t=performance.now();fn();(T[k]??=[]).push(performance.now()-t)};
for(let i=0;i<150;i++){
 m("crc",()=>crc16(b,0,b.length-2));
 m("walk-null",()=>walk(v,b[0]!,b.length-2,{define:()=>null,read(){}}));
 m("survey",()=>survey(v));
 const s=survey(v); const pl=legsOf(s.parts[0]!,null); const dc=developerColumnsOf(s.parts[0]!);
 m("rows-noop-wanted",()=>readRows(v,pl,dc,new Uint16Array(9+dc.length).fill(1),()=>{}));
 m("rows-noop-unwanted",()=>readRows(v,pl,dc,new Uint16Array(9+dc.length),()=>{}));
 m("all",()=>decodeActivities(b,{fallbackStartInSeconds:null}));
}
for(const [k,a] of Object.entries(T)) { a.sort((x,y)=>x-y); console.log(k.padEnd(20),"min",a[0]!.toFixed(2),"med",a[a.length>>1]!.toFixed(2)); }
