/** Style of all pages: light and dark, for widths from 320 px. It loads nothing. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--shade:#f4f6f9;--line:#d9dde2;--link:#0b57b8;--mark:#fff3c4;
--get:#0a6b3d;--post:#0b57b8;--patch:#8a4b00;--delete:#a8201a;--event:#6b3fa0;--code:#0f1720;--code-bar:#1a2430;--code-ink:#e3e9f0;--code-soft:#a6b3c2;--code-line:#2b3846}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#a2abb6;--paper:#12161b;--shade:#1b2128;--line:#313943;--link:#7db7ff;--mark:#4a3f12;
--get:#5cc993;--post:#7db7ff;--patch:#f0b060;--delete:#ff8f88;--event:#c7a4f5;--code:#0a0e13}}
*{box-sizing:border-box}
html{scroll-padding-top:5rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.6 system-ui,sans-serif}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,pre:focus-visible,button:focus-visible,input:focus-visible,:focus-visible+span{outline:2px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100vw;z-index:3}
.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem}
.top{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;align-items:center;gap:.25rem 1.1rem;min-height:3.5rem;padding:.35rem 1rem;background:var(--paper);border-bottom:1px solid var(--line)}
.top a{display:inline-block;padding:.25rem 0;text-decoration:none;color:var(--ink);font-size:.92rem}
.top a:hover{text-decoration:underline}
.top .brand{font-weight:700;font-size:1rem;margin-right:auto}
.search{display:none;position:relative}
.js .search{display:block}
.search input{width:100%;font:inherit;font-size:.92rem;color:inherit;background:var(--shade);border:1px solid #7b8694;border-radius:6px;padding:.3rem .6rem;height:2.2rem}
#results{position:absolute;right:0;top:2.5rem;width:min(34rem,calc(100vw - 2rem));max-height:70vh;overflow:auto;margin:0;padding:.25rem;list-style:none;background:var(--paper);border:1px solid var(--line);border-radius:8px;box-shadow:0 8px 30px #0004}
#results a{display:block;padding:.4rem .6rem;border-radius:6px}
#results a:hover,#results a:focus{background:var(--shade);text-decoration:none}
#results strong,#results span{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
#results span,#results li:not(:has(a)){color:var(--soft);font-size:.82rem}
#results li:not(:has(a)){padding:.5rem}
.hidden,legend{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
#contents{display:none;position:fixed;inset:0;z-index:4;overflow:auto;padding:1rem;background:var(--paper);font-size:.9rem}
#contents:target{display:block}
#contents ul{list-style:none;margin:.15rem 0;padding-left:.75rem}
#contents>ul{padding:0}
#contents h2,.part{font-size:.8rem;text-transform:uppercase;letter-spacing:.08em;color:var(--soft);margin:1.25rem 0 .25rem;padding:0;border:0}
#contents h2:first-of-type{margin-top:0}
#contents a,#contents summary{display:block;padding:.2rem .5rem;border-radius:5px}
#contents summary{cursor:pointer;font-weight:600}
#contents a{color:var(--ink);text-decoration:none}
#contents a:hover{background:var(--shade)}
#contents a[aria-current]{background:var(--shade);box-shadow:inset 3px 0 var(--link);font-weight:600}
#contents .method{font-size:.65rem}
#contents .path{font-size:.76rem}
main{padding:1rem;min-width:0}
main.narrow{max-width:54rem;margin:0 auto;padding-bottom:4rem}
h1{font-size:2rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.45rem;line-height:1.3;margin:3rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}
h2.part{margin:2.5rem 0 -2.25rem}
h3{font-size:1.1rem;margin:2rem 0 .5rem}
h4{font-size:.95rem;margin:1.25rem 0 .4rem}
.lead{font-size:1.15rem;color:var(--soft)}
.anchor{color:inherit;text-decoration:none;display:inline-block}
.anchor:hover{text-decoration:underline}
.summary{font-weight:600;margin:.25rem 0}
section,article{display:flow-root}
article{margin:2.5rem 0}
code,pre,.path,.fields code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code,.path{font-size:.86em}
code{white-space:nowrap;background:var(--shade);border-radius:3px;padding:.05em .25em}
code.long{white-space:normal}
h3 code,a code{background:none;padding:0}
.path{font-weight:600}
.card{margin:1rem 0;background:var(--code);color:var(--code-ink);border-radius:8px;border:1px solid var(--code-line);overflow:hidden}
.bar{display:flex;align-items:center;gap:.5rem;min-height:2.4rem;padding:0 .5rem 0 .9rem;background:var(--code-bar);color:var(--code-soft);font-size:.82rem}
.caption{padding:.35rem .9rem 0;background:var(--code-bar);color:var(--code-ink);font-size:.82rem;font-weight:600}
.tabs{display:flex;margin:0 0 0 -.6rem;padding:0;border:0;min-width:0}
.tabs label{position:relative;cursor:pointer}
.tabs input{position:absolute;inset:0;width:100%;height:100%;margin:0;opacity:0;cursor:pointer}
.tabs span{display:block;padding:.5rem .6rem .35rem;line-height:1.4;border-bottom:2px solid transparent}
.tabs :checked+span{color:var(--code-ink);border-color:#7db7ff;font-weight:600}
.copy{display:none;margin-left:auto;font:inherit;color:var(--code-ink);background:none;border:1px solid var(--code-line);border-radius:5px;padding:.1rem .6rem;min-height:1.6rem;min-width:4.6rem;cursor:pointer}
.js .copy{display:block}
.copy:hover{background:var(--code-line)}
pre{margin:0;padding:.8rem .9rem;overflow:auto;max-height:28rem;font-size:.8rem;line-height:1.55;tab-size:2}
pre:focus-visible{outline-offset:-2px;outline-color:#7db7ff}
.tabbed .typescript,.tabbed .python{display:none}
html:not([data-language]) .tabbed:has([value=typescript]:checked) .typescript,html:not([data-language]) .tabbed:has([value=python]:checked) .python,
[data-language=curl] .programs .typescript,
[data-language=typescript] .tabbed .typescript,[data-language=python] .tabbed .python{display:block}
html:not([data-language]) .tabbed:not(:has([value=curl]:checked)) .curl,[data-language]:not([data-language=curl]) .tabbed .curl{display:none}
.method{font:700 .72rem ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;border:1px solid;border-radius:4px;padding:.1em .4em}
.get{color:var(--get)}.post{color:var(--post)}.patch{color:var(--patch)}.delete{color:var(--delete)}.event{color:var(--event)}
.badge,.required{color:var(--delete);font-size:.8rem;font-weight:600}
.optional{color:var(--soft);font-size:.8rem}
.fields{list-style:none;margin:.5rem 0;padding:0}
.fields li{padding:.55rem 0;border-top:1px solid var(--line)}
.fields code{font-weight:600}
.fields p code,.type code{font-weight:400}
.fields p{margin:.15rem 0 0;font-size:.92rem}
.type{color:var(--soft);font-size:.85rem}
.type a,td a{display:inline-block;min-height:1.5rem}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:.75rem 0}
th,td{text-align:left;vertical-align:top;padding:.45rem .9rem .45rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:600}
tbody th{font-weight:400}
tr:target,article:target>h3{background:var(--mark)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1rem;margin:1.5rem 0;padding:0;list-style:none}
.cards a{display:block;height:100%;padding:1rem 1.1rem;border:1px solid var(--line);border-radius:10px;text-decoration:none;color:inherit}
.cards a:hover{border-color:var(--link)}
.cards strong{display:block;color:var(--link);font-size:1.05rem}
.cards span{color:var(--soft);font-size:.92rem}
@media(max-width:639px){
html{scroll-padding-top:7rem}
.search{order:9;flex-basis:100%}
.open-contents~.docs,.top .changelog{display:none}
.top{gap:.25rem .9rem}
h1{font-size:1.7rem}
table,tbody,tr,th,td{display:block}
thead{display:none}
tr{border-bottom:1px solid var(--line);padding:.5rem 0}
th,td{border:0;padding:.1rem 0}
tbody th{font-weight:600}
code{font-size:.78rem}
td:not(:empty)[data-label="Status"]::before,td:not(:empty)[data-label="Sent with"]::before,td:not(:empty)[data-label="Sent as"]::before{content:attr(data-label) ": ";color:var(--soft)}
ol,ul{padding-left:1.25rem}}
@media(max-width:359px){h2{font-size:1.15rem}code{font-size:.64rem}ol,ul{padding-left:.75rem}}
@media(min-width:640px){.search{width:15rem}}
@media(min-width:1000px){
.open-contents,.close{display:none!important}
.page{display:grid;grid-template-columns:17.5rem minmax(0,1fr)}
#contents{display:block;position:sticky;inset:auto;top:3.5rem;z-index:0;height:calc(100vh - 3.5rem);border-right:1px solid var(--line)}
.page main{padding:1rem 2.5rem 8rem}}
@media(min-width:1000px) and (max-width:1279px){section,article{max-width:52rem}}
@media(min-width:1280px){
.page{--aside:clamp(25rem,35vw,38rem)}
.page .plain,.page article:not(.has-code){max-width:64rem}
.page .has-code{padding-right:calc(var(--aside) + 2.5rem)}
.page .code{float:right;clear:right;width:var(--aside);margin-right:calc(-1*(var(--aside) + 2.5rem))}
.page li .code{margin-right:calc(-1*(var(--aside) + 2.5rem))}
.page article .code{position:sticky;top:4.5rem}
.page article .code pre{max-height:calc(50vh - 6.5rem)}
.page .code .card:first-child{margin-top:.25rem}}
@media(min-width:1800px){.page main{max-width:108rem}}
@media print{#contents,.top,.copy{display:none!important}pre{max-height:none;white-space:pre-wrap}}
`;
