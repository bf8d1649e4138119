// The page: keeps the newest board, which one event stream brings, and draws it once a second.
// It asks for nothing else and changes nothing.

import { html, render } from './markup.js'
import { Board } from './parts.js'

/** As many seconds as the server keeps (historyLength in board.ts). */
const historyLength = 300

let picture
let history = []
let connected = false

function draw() {
  render(
    html`<${Board} picture=${picture} history=${history} connected=${connected} />`,
    document.body,
  )
}

const events = new EventSource('/api/v1/events')
events.addEventListener('board', (event) => {
  ;({ picture, history } = JSON.parse(event.data))
  connected = true
  draw()
})
events.addEventListener('tick', (event) => {
  const tick = JSON.parse(event.data)
  picture = tick.picture
  history = [...history, tick.point].slice(-historyLength)
  draw()
})
// The browser connects again by itself, and the server then sends the whole board.
events.addEventListener('error', () => {
  connected = false
  draw()
})
draw()
