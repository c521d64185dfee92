import { readFileSync } from "node:fs";
import { decodeActivities } from "./src/fit/index.ts";
const b=new Uint8Array(readFileSync("/work/shared/fit-corpus/"+process.argv[2]));
for(let i=0;i<+process.argv[3];i++) decodeActivities(b,{fallbackStartInSeconds:null});
