#include "eval/report_parts.h"

namespace tw::eval::internal {
namespace {

// Colours keep at least 4.5:1 for text and 3:1 for lines against their background, in both themes.
// Gain and loss are told apart by sign, bought and sold by shape, never by colour alone.
constexpr std::string_view kStyle = R"css(:root {
  --bg: #f5f6f8; --card: #ffffff; --text: #1b1f24; --muted: #545d68; --line: #d5dae1; --grid: #e6e9ee;
  --agent: #0b5cad; --gain: #0a6b3d; --loss: #b42318; --buy: #0b5cad; --sell: #b1470b; --price: #5a6572;
  --base0: #8a5a00; --base1: #7a3e9d; --base2: #3c6e47; --base3: #9c3d63;
  --fold-a: #0b5cad12; --fold-b: #0b5cad22; --holdout: #b1470b26; --select: #0b5cad30; --under: #b4231826;
  --good: #0a6b3d; --bad: #b42318; --neutral: #6b5200;
  --gain-rgb: 10, 130, 75; --loss-rgb: 200, 50, 35;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #0e1216; --card: #161b21; --text: #e6eaef; --muted: #a3adb9; --line: #343c46; --grid: #252c35;
    --agent: #6cb4ff; --gain: #5fd394; --loss: #ff9088; --buy: #6cb4ff; --sell: #ffae70; --price: #97a3b0;
    --base0: #e0b050; --base1: #cf9cf0; --base2: #86cf98; --base3: #f09ab8;
    --fold-a: #6cb4ff12; --fold-b: #6cb4ff26; --holdout: #ffae7030; --select: #6cb4ff40; --under: #ff908830;
    --good: #5fd394; --bad: #ff9088; --neutral: #e0b050;
    --gain-rgb: 60, 190, 120; --loss-rgb: 240, 90, 80;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1rem; max-width: 1180px; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 .4rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
p { margin: 0 0 .5rem; overflow-wrap: anywhere; }
ul { margin: .25rem 0 .5rem; padding-left: 1.2rem; }
li { overflow-wrap: anywhere; }
.brand { margin: 0; color: var(--agent); font-weight: 600; letter-spacing: .02em; }
.muted, .sub, footer { color: var(--muted); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header { margin-bottom: 1rem; }
.card, .verdict { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 0 0 1rem; }
.verdict { border-left: 6px solid var(--neutral); }
.verdict.good { border-left-color: var(--good); }
.verdict.bad { border-left-color: var(--bad); }
.verdict h2 { font-size: .8rem; text-transform: uppercase; letter-spacing: .08em; color: var(--muted); margin-bottom: .2rem; }
.lead { font-size: 1.2rem; line-height: 1.4; font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .6rem; margin: 0 0 1rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .55rem .75rem; min-width: 0; }
.tile dt { font-size: .8rem; color: var(--muted); line-height: 1.3; }
.tile dd { margin: .1rem 0 0; font-size: 1.2rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }
.tile .note { display: block; font-size: .75rem; font-weight: 400; line-height: 1.3; color: var(--muted); }

.chart-bar { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; justify-content: space-between; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: 0; padding: 0; font-size: .85rem; }
.legend li { display: inline-flex; align-items: center; gap: .4rem; }
.swatch { display: inline-block; width: 18px; height: 3px; border-radius: 2px; }
.s-agent { background: var(--agent); }
.s-price { background: var(--price); }
.s-base0 { background: var(--base0); } .s-base1 { background: var(--base1); }
.s-base2 { background: var(--base2); } .s-base3 { background: var(--base3); }
.s-fold { height: 12px; background: var(--fold-b); border: 1px solid var(--line); }
.s-holdout { height: 12px; background: var(--holdout); border: 1px solid var(--line); }
.mark.buy { color: var(--buy); } .mark.sell { color: var(--sell); }
.chart-buttons { display: inline-flex; gap: .3rem; }
button { font: inherit; color: inherit; }
.chart-buttons button {
  min-width: 2rem; min-height: 2rem; padding: .1rem .6rem; font-size: .85rem; background: var(--bg);
  border: 1px solid var(--line); border-radius: 6px; cursor: pointer;
}
.readout { line-height: 1.4; min-height: 2.8em; margin: .3rem 0 .1rem; font-size: .85rem; }
.chart { width: 100%; touch-action: pan-y; user-select: none; -webkit-user-select: none; cursor: crosshair; }
.chart svg { display: block; width: 100%; overflow: hidden; }
.chart text { fill: var(--muted); font-size: 11px; }
.chart .grid { stroke: var(--grid); fill: none; shape-rendering: crispEdges; }
.chart .axis { stroke: var(--line); fill: none; shape-rendering: crispEdges; }
.chart .zero { stroke: var(--muted); fill: none; shape-rendering: crispEdges; stroke-dasharray: 2 3; }
.chart .c-agent { stroke: var(--agent); fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.chart .c-price { stroke: var(--price); fill: none; stroke-width: 1.2; stroke-linejoin: round; }
.chart .c-base0 { stroke: var(--base0); } .chart .c-base1 { stroke: var(--base1); }
.chart .c-base2 { stroke: var(--base2); } .chart .c-base3 { stroke: var(--base3); }
.chart [class^="c-base"] { fill: none; stroke-width: 1.2; stroke-dasharray: 5 3; }
.chart .c-under { fill: var(--under); stroke: var(--loss); stroke-width: 1; }
.chart .b0 { fill: var(--fold-a); } .chart .b1 { fill: var(--fold-b); } .chart .bh { fill: var(--holdout); }
.chart .buy { fill: var(--buy); stroke: var(--card); stroke-width: .8; }
.chart .sell { fill: var(--sell); stroke: var(--card); stroke-width: .8; }
.chart .lane-buy { stroke: var(--buy); fill: none; } .chart .lane-sell { stroke: var(--sell); fill: none; }
.chart .cross { stroke: var(--muted); stroke-dasharray: 3 3; }
.chart .dot { fill: var(--agent); stroke: var(--card); }
.chart .selection { fill: var(--select); }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { padding: .3rem .5rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
tbody th, tfoot th { font-weight: 400; }
thead th { color: var(--muted); vertical-align: bottom; }
thead th.num { white-space: normal; }
.strategies th[scope="row"] { min-width: 9.5rem; }
.num { text-align: right; white-space: nowrap; }
.sub { display: block; font-size: .78rem; font-weight: 400; white-space: normal; }
.num .sub { white-space: nowrap; }
.gain { color: var(--gain); } .loss { color: var(--loss); }
.total th, .total td, td.total { font-weight: 700; }
.group th { padding-top: .9rem; font-weight: 700; }
.remark { color: var(--muted); font-size: .82rem; min-width: 9rem; }
.agent th, .agent td { background: var(--fold-b); font-weight: 600; }
.months td, .months th { padding: .3rem .35rem; }
.g1 { background: rgba(var(--gain-rgb), .08); } .g2 { background: rgba(var(--gain-rgb), .15); }
.g3 { background: rgba(var(--gain-rgb), .22); } .g4 { background: rgba(var(--gain-rgb), .29); }
.g5 { background: rgba(var(--gain-rgb), .36); }
.l1 { background: rgba(var(--loss-rgb), .08); } .l2 { background: rgba(var(--loss-rgb), .15); }
.l3 { background: rgba(var(--loss-rgb), .22); } .l4 { background: rgba(var(--loss-rgb), .29); }
.l5 { background: rgba(var(--loss-rgb), .36); }
.costs { max-width: 760px; }
.metrics { max-width: 900px; }
.metrics th[scope="row"] { min-width: 11rem; }
.costs .bar { width: 40%; vertical-align: middle; position: relative; }
.costs .bar span { display: block; height: 12px; border-radius: 2px; margin-left: 50%; background: var(--gain); }
.costs .bar span.loss { margin-left: auto; margin-right: 50%; background: var(--loss); }
.costs .bar::before { content: ""; position: absolute; left: 50%; top: 0; bottom: 0; border-left: 1px solid var(--line); }
.costs .total th, .costs .total td { border-top: 2px solid var(--muted); border-bottom: 0; }
.term { position: relative; display: inline-block; }
.term button {
  background: none; border: 0; padding: 0; text-align: left; cursor: help;
  text-decoration: underline dotted var(--muted); text-underline-offset: 3px;
}
.tip {
  visibility: hidden; position: absolute; z-index: 5; left: 0; top: 100%; width: min(22rem, 80vw); padding: .5rem .7rem;
  background: var(--text); color: var(--card); border-radius: 6px; font-size: .82rem; line-height: 1.4; white-space: normal;
}
.tip code { opacity: .8; white-space: nowrap; }
.metrics tr:nth-last-child(-n+3) .tip { top: auto; bottom: 100%; }
.term button:hover + .tip, .term button:focus + .tip, .tip:hover { visibility: visible; }
[data-sort] { white-space: nowrap; }
.strategies [data-sort] { white-space: normal; min-width: 5rem; }
[data-sort] button { text-align: inherit; background: none; border: 0; padding: 0; font-weight: inherit; color: inherit; cursor: pointer; }
[data-sort] button::after { content: "\2195"; margin-left: .25em; opacity: .6; }
[aria-sort="ascending"] button::after { content: "\2191"; opacity: 1; }
[aria-sort="descending"] button::after { content: "\2193"; opacity: 1; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; font-size: .88rem; }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, "Liberation Mono", monospace; font-size: .92em; }
:focus-visible { outline: 2px solid var(--agent); outline-offset: 2px; border-radius: 2px; }
footer { font-size: .82rem; }
@media (max-width: 640px) {
  body { padding: .6rem; }
  h1 { font-size: 1.3rem; }
  .card, .verdict { padding: .75rem; }
  .lead { font-size: 1.08rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .45rem; }
  .costs .bar { display: none; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: .4rem; }
}
@media print {
  body { max-width: none; background: #fff; }
  .chart-buttons, .readout { display: none; }
  .card, .verdict { break-inside: avoid; }
}
)css";

}  // namespace

std::string_view ReportStyle() { return kStyle; }

}  // namespace tw::eval::internal
