// The search, JupyterLab's address, and what the reader has before them, which stays where the page is loaded again.
const at = id => document.getElementById(id);
const each = (selector, within = document) => [...within.querySelectorAll(selector)];
const box = at('search'), told = at('found');
const sought = 'details.mistake, tr.person';
const holders = each('section, table, details.more').map(one => [one, each(sought, one)])
  .filter(([one, inside]) => one.localName === 'section' || inside.length); // the other tables are no lists of people

function search() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const one of each(sought)) {
    const text = one.textContent.toLowerCase();
    one.hidden = !words.every(word => text.includes(word));
    count += !one.hidden;
  }
  for (const [holder, inside] of holders) holder.hidden = words.length > 0 && inside.every(one => one.hidden);
  for (const more of each('details.more')) more.open = words.length > 0;
  told.textContent = words.length ? count + ' found' : '';
}
box.closest('.search').hidden = false;
box.addEventListener('input', search);

const served = at('served'), usual = served.value, kept = 'workshop-jupyter';
const links = each('a[href^="' + usual + '"]').map(a => [a, a.href.slice(usual.length)]);
const lead = () => {
  let root = usual;
  try {
    const url = new URL(served.value);
    if (url.protocol.startsWith('http')) root = url.origin + url.pathname.replace(/[/](lab|tree)([/].*)?$|[/]+$/, '');
  } catch { /* no address yet */ }
  for (const [a, rest] of links) a.href = root + rest;
  try { localStorage.setItem(kept, served.value); } catch { /* a browser that keeps nothing */ }
};
try { served.value = localStorage.getItem(kept) || usual; } catch { /* as above */ }
served.addEventListener('input', lead);
lead();

const place = 'workshop-report ' + location.pathname, line = 80; // pixels: below the search box
const topOf = one => one.getBoundingClientRect().top;
const marks = () => each('h2[id], h3[id], h4[id], details[id]').filter(one => one.getClientRects().length);

function keep() {
  const seen = marks().filter(one => topOf(one) <= line).pop(), focused = document.activeElement;
  const state = {
    word: box.value,
    open: each('details[open]').map(one => one.id),
    seen: seen && [seen.id, topOf(seen)],
    scrolled: scrollY,
    focus: focused.id || (focused.localName === 'summary' && focused.parentElement.id),
    link: focused.getAttribute('href'),
    caret: focused === box && [box.selectionStart, box.selectionEnd],
  };
  try { sessionStorage.setItem(place, JSON.stringify(state)); } catch { /* as above */ }
}

function restore() {
  let state = null;
  try { state = JSON.parse(sessionStorage.getItem(place)); } catch { /* as above */ }
  if (!state || performance.getEntriesByType('navigation')[0].type === 'navigate') return;
  box.value = state.word;
  if (state.word) search();
  for (let one of state.open.map(at)) for (; one; one = one.parentElement.closest('details')) one.open = true;
  const link = state.link && each('a').find(one => one.getAttribute('href') === state.link);
  const named = at(state.focus), focus = link || (named?.localName === 'details' ? named.querySelector('summary') : named);
  focus?.focus({ preventScroll: true });
  if (state.caret) box.setSelectionRange(...state.caret);
  const scroll = () => {
    const seen = state.seen && at(state.seen[0]);
    scrollTo({ top: seen ? scrollY + topOf(seen) - state.seen[1] : state.scrolled, behavior: 'instant' });
  };
  scroll();
  addEventListener('load', () => requestAnimationFrame(scroll)); // the browser goes to the address's #part meanwhile
}
history.scrollRestoration = 'manual';
addEventListener('pagehide', keep);
restore();

let typed = -Infinity;
addEventListener('keydown', () => { typed = performance.now(); });
const renew = () => performance.now() - typed < 1000 ? setTimeout(renew, 1000) : location.reload();
const seconds = +document.documentElement.dataset.renewed;
if (seconds) setTimeout(renew, 1000 * seconds);
