// The page: keeps the latest board, which one event stream delivers, and draws it once a second.
// Shows the age of its figures while the stream is silent.
// Map: board.js is the whole page; flow.js, overviewCharts.js, job.js and about.js are its
// sections; lineCard.js, shareCard.js and chartCursor.js are its charts; history.js keeps their
// points; format.js formats numbers; markup.js is htm with preact.
// Must never request anything but the stream and /version, or change anything.

import { Board } from './board.js'
import { grown } from './history.js'
import { html, render } from './markup.js'

/**
 * Without an event for this long the figures are stale, whatever the connection's state: events
 * come every second.
 */
const staleAfterMs = 3_500
const reconnectMs = 3_000

let picture
let history = { recent: [], older: [] }
/** Time of the last event, on a monotonic clock. */
let newsMs = performance.now()
let span = 'recent'
/** The program that serves the page. */
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
  // The browser reconnects by itself, unless the server answered with an error (too many pages).
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, reconnectMs)
  })
}

/** Repeated after each reconnect: a different version may have been started. */
async function ask() {
  try {
    about = await (await fetch('/version')).json()
    draw()
  } catch {
    // The page shows a missing connection elsewhere.
  }
}

/** Opens the collapsed sections around a link's target. */
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  for (let fold = target?.closest('details'); fold; fold = fold.parentElement?.closest('details')) {
    fold.open = true
  }
  target?.scrollIntoView({ block: 'center' })
  target?.focus({ preventScroll: true })
}

addEventListener('hashchange', unfold)
// Redraws stale figures, whose age grows.
setInterval(() => {
  if (performance.now() - newsMs > staleAfterMs) draw()
}, 1_000)
connect()
draw()
