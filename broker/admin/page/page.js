// The page: keeps the newest board, which one event stream brings, and draws it once a second. It says
// how old its figures are when the stream does not bring new ones. It asks for nothing else and changes
// nothing.

import { Board } from './board.js'
import { grown } from './history.js'
import { html, render } from './markup.js'

/** Without an event for so long the figures are old, whatever the connection says: events come every second. */
const staleAfterMs = 3_500
const reconnectMs = 3_000

let picture
let history = { recent: [], older: [] }
/** When the last event came, by a clock that does not jump. */
let newsMs = performance.now()
let span = 'recent'
/** Which program serves the page. */
let about

function draw() {
  const ageMs = performance.now() - newsMs
  const props = { picture, history, span, about, staleMs: ageMs > staleAfterMs ? ageMs : undefined }
  const choose = (chosen) => {
    span = chosen
    draw()
  }
  render(html`<${Board} ...${props} onSpan=${choose} />`, document.body)
}

function connect() {
  const events = new EventSource('/api/v1/events')
  events.addEventListener('open', ask)
  events.addEventListener('board', (event) => {
    const board = JSON.parse(event.data)
    picture = board.picture
    history = { recent: board.recent, older: board.older }
    newsMs = performance.now()
    draw()
  })
  events.addEventListener('tick', (event) => {
    const tick = JSON.parse(event.data)
    picture = tick.picture
    history = grown(history, tick)
    newsMs = performance.now()
    draw()
  })
  // The browser connects again by itself, unless the server has answered with an error (too many pages).
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, reconnectMs)
  })
}

/** Asked again after each break: another version may have been started meanwhile. */
async function ask() {
  try {
    about = await (await fetch('/version')).json()
    draw()
  } catch {
    // Without a connection the page says that it has none.
  }
}

/** A link leads to what may be folded away. */
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  for (let fold = target?.closest('details'); fold; fold = fold.parentElement?.closest('details')) {
    fold.open = true
  }
  target?.scrollIntoView({ block: 'center' })
  target?.focus({ preventScroll: true })
}

addEventListener('hashchange', unfold)
// Old figures get older: that is drawn too.
setInterval(() => {
  if (performance.now() - newsMs > staleAfterMs) draw()
}, 1_000)
connect()
draw()
