import { readFileSync } from "node:fs";
import { viewOf, walk } from "./src/fit/frame.ts";
import { RecordReader } from "./src/fit/recordReader.ts";
const b=new Uint8Array(readFileSync("/work/shared/fit-corpus/batt.fit")); const v=viewOf(b);
for(const w of [1,0]) { const t:number[]=[]; for(let i=0;i<300;i++){ let n=0; const r=new RecordReader(v,[],new Uint16Array(9).fill(w),(ts,row)=>{n+=ts}); const t0=performance.now(); walk(v,14,b.length-2,r); r.flush(); t.push(performance.now()-t0);} t.sort((a,b)=>a-b); console.log(w,t[0],t[150]); }
