/** Style of the page: light and dark, for widths from 360 px. It loads nothing. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--shade:#f5f6f8;--line:#d9dde2;--link:#0b57b8;--mark:#fff3c4;
--get:#0a6b3d;--post:#0b57b8;--delete:#a8201a;--event:#6b3fa0}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#a2abb6;--paper:#12161b;--shade:#1b2128;--line:#313943;--link:#7db7ff;--mark:#4a3f12;
--get:#5cc993;--post:#7db7ff;--delete:#ff8f88;--event:#c7a4f5}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,sans-serif;overflow-wrap:break-word}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,pre:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100vw}
.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem}
nav{padding:1rem;border-bottom:1px solid var(--line);font-size:.9rem}
nav ul{list-style:none;margin:.25rem 0;padding-left:.75rem}
nav>ul{padding:0}
nav a{text-decoration:none;display:block;padding:.15rem 0;overflow-wrap:anywhere}
nav a:hover{text-decoration:underline}
nav summary{cursor:pointer;padding:.15rem 0;font-weight:600}
main{padding:1rem;max-width:60rem;min-width:0}
h1{font-size:1.9rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.45rem;margin:3rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1.1rem;margin:2rem 0 .5rem}
h4{font-size:.95rem;margin:1.25rem 0 .4rem}
.anchor{color:inherit;text-decoration:none}
.anchor:hover{text-decoration:underline}
.summary{font-weight:600;margin:.25rem 0}
article{margin:2.5rem 0}
code,pre,.path{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em}
p code,li code,td code,th code{background:var(--shade);border-radius:3px;padding:.05em .25em;overflow-wrap:anywhere}
pre{background:var(--shade);border:1px solid var(--line);border-radius:6px;padding:.75rem;overflow:auto;max-height:32rem;line-height:1.45}
.method{font:700 .8em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;border:1px solid;border-radius:4px;padding:.1em .4em}
.get{color:var(--get)}.post{color:var(--post)}.delete{color:var(--delete)}.event{color:var(--event)}
.optional{color:var(--soft);font-weight:400;font-size:.8em}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:600}
tbody th{font-weight:400}
tr:target,article:target>h3{background:var(--mark)}
details{margin:.5rem 0}
summary{cursor:pointer}
@media(max-width:639px){
table,tbody,tr,th,td{display:block}
thead{display:none}
tr{border-bottom:1px solid var(--line);padding:.5rem 0}
th,td{border:0;padding:.1rem 0}
tbody th{font-weight:600}
td:not(:empty)[data-label="Status"]::before,td:not(:empty)[data-label="In"]::before,td:not(:empty)[data-label="Type"]::before{content:attr(data-label) ": ";color:var(--soft)}
ol,ul{padding-left:1.25rem}}
@media(min-width:1000px){
body{display:grid;grid-template-columns:19rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;border-bottom:0;border-right:1px solid var(--line)}
main{padding:1.5rem 2.5rem 6rem}}
@media print{nav{display:none}pre{max-height:none;white-space:pre-wrap}}
`;
