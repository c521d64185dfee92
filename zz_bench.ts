import { readFileSync } from "node:fs";
import { decodeActivities, decodeStreams } from "./src/fit/index.ts";
import { crc16, walk, viewOf } from "./src/fit/frame.ts";
import FitParser from "fit-file-parser";
const files=["batt.fit","activity_deprecated_profile.fit","zwift_non_utf8_20260130.fit","activity-large-fenxi2-multisport.fit","large.fit"];
const TABLE=Uint16Array.from({length:256},(_,b)=>{let c=b;for(let i=0;i<8;i++)c=c&1?(c>>>1)^0xa001:c>>>1;return c});
function bare(bytes:Uint8Array){ const view=viewOf(bytes); let n=0; const end=bytes.length-2; let crc=0; for(let i=0;i<end;i++) crc=(crc>>>8)^TABLE[(crc^bytes[i])&255];
  const sizes=new Int32Array(16); let at=bytes[0]; while(at<end){const h=bytes[at]; if((h&0xc0)===0x40){const nf=bytes[at+5];let p=at+6+3*nf;let s=0;for(let i=at+6;i<p;i+=3)s+=bytes[i+1]; if(h&0x20){const nd=bytes[p];p++;for(let i=0;i<nd;i++,p+=3)s+=bytes[p+1]} sizes[h&15]=s;at=p;} else {const l=h&0x80?(h>>5)&3:h&15; at+=1+sizes[l]; n++;}} return crc+n;}
const med=(a:number[])=>a.sort((x,y)=>x-y)[process.env.MIN?0:a.length>>1];
for(const f of files){ const b=new Uint8Array(readFileSync("/work/shared/fit-corpus/"+f)); const o:number[]=[],s:number[]=[],x:number[]=[],p:number[]=[];
 for(let i=0;i<60;i++){ let t=performance.now(); bare(b); x.push(performance.now()-t); t=performance.now(); decodeActivities(b,{fallbackStartInSeconds:null}); o.push(performance.now()-t); t=performance.now(); decodeStreams(b,{fallbackStartInSeconds:null,sessionIndex:0,keys:null,resolution:null}); s.push(performance.now()-t);
  if(process.argv[2]&&i<5){t=performance.now(); await new FitParser({mode:"list",force:true}).parseAsync(b.slice().buffer as any); p.push(performance.now()-t);} }
 console.log(f,b.length,"bare",med(x).toFixed(2),"ours",med(o).toFixed(2),(med(o)/med(x)).toFixed(2)+"x streams",med(s).toFixed(2), p.length?`ffp ${med(p).toFixed(1)} ${(med(p)/med(o)).toFixed(1)}x`:""); }
