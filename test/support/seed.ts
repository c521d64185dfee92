import fc from "fast-check";

// The same cases in every run, so that a change is judged by itself; new ones are for who changes this number.
fc.configureGlobal({ seed: 20_261_125 });
