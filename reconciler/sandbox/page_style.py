"""The look of the sandbox page: light and dark, no scripts, no files from elsewhere."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --bg: #f5f6f8; --card: #fff; --ink: #1d2330; --soft: #626b7c; --line: #d9dde5;
  --accent: #1f6feb; --danger: #c62f3b; --done: #1a7f45; }
@media (prefers-color-scheme: dark) { :root { --bg: #12151b; --card: #1b2029; --ink: #e7eaf0; --soft: #98a2b3;
  --line: #313947; --accent: #6aa5ff; --danger: #ff7b85; --done: #5fd08f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 20px 16px 60px; }
h1 { font-size: 1.4rem; margin: 0 0 4px; }
h2 { font-size: 1rem; margin: 0 0 8px; }
small, .hint { color: var(--soft); font-size: .82rem; font-weight: 400; }
.pair, .heads { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; margin: 14px 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; min-width: 0; }
.empty { border-style: dashed; color: var(--soft); display: grid; place-items: center; background: none; }
.deleted { opacity: .6; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { margin-right: 6px; }
.facts { display: block; margin: 2px 0 0 1rem; }
.done { color: var(--done); }
form { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 12px; margin-top: 10px; }
label { display: grid; gap: 2px; font-size: .82rem; color: var(--soft); }
.wide { grid-column: 1 / -1; }
input, select, textarea { width: 100%; font: inherit; color: var(--ink); background: var(--bg);
  border: 1px solid var(--line); border-radius: 6px; padding: 5px 8px; }
textarea { min-height: 5.2em; resize: vertical; }
button { font: inherit; border: 1px solid var(--accent); color: var(--accent); background: none; border-radius: 6px;
  padding: 5px 14px; cursor: pointer; }
button.danger { border-color: var(--danger); color: var(--danger); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.buttons { display: flex; gap: 10px; justify-content: flex-end; }
@media (max-width: 760px) { .pair, .heads, form { grid-template-columns: 1fr; } .heads { display: none; } }
"""
