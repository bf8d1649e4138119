// The whole page for one picture: problems, throughput, ledgers and results.

import { About, Begin, isEmpty } from './about.js'
import { Flow, Ledgers } from './flow.js'
import { duration, timeOfDay } from './format.js'
import { pointsOf, spans } from './history.js'
import { JobSection } from './job.js'
import { html } from './markup.js'
import { Overview } from './overviewCharts.js'

/** With more jobs than this, their charts are collapsed. */
const unfoldedJobs = 2
/** Problems beyond this number are collapsed; the first ones are the most serious. */
const mostProblems = 8

export function Board({ picture, history, span, staleMs, about, onSpan }) {
  if (!picture) {
    const text =
      staleMs === undefined ? 'Waiting for the first figures …' : 'Not connected; reconnecting …'
    return html`<p class="empty" role="status">${text}</p>`
  }
  const problems = problemsOf(picture, staleMs)
  document.title = problems.length === 0 ? 'Millrace' : 'NOT WELL – Millrace'
  const points = pointsOf(history, span)
  const chart = { points, span, endMs: history.recent.at(-1)?.timeMs ?? picture.timeMs }
  return html`
    <${Head} picture=${picture} problems=${problems} staleMs=${staleMs} />
    <main class=${staleMs === undefined ? '' : 'stale'}>
      <${Verdict} problems=${problems} />
      ${
        isEmpty(picture)
          ? html`<${Begin} />`
          : html`<${Flow} picture=${picture} />
      <${Ledgers} ledgers=${picture.ledgers} />
      <${Spans} span=${span} onSpan=${onSpan} />
      <${Overview} agents=${picture.agents} jobs=${picture.jobs} chart=${chart} />`
      }
      ${picture.jobs.map(
        (job) => html`<${JobSection} key=${job.id} job=${job} chart=${chart}
          unfolded=${picture.jobs.length <= unfoldedJobs} />`,
      )}
    </main>
    <${About} about=${about} />`
}

/** While the stream is silent, that is the first problem, and the others are outdated. */
function problemsOf({ problems, timeMs }, staleMs) {
  if (staleMs === undefined) return problems
  const text = `no figures from the broker for ${duration(staleMs)}: those below are from ${timeOfDay(timeMs)}`
  return [{ subject: 'broker', id: '', text }, ...problems]
}

function Head({ picture, problems, staleMs }) {
  const state = staleMs !== undefined ? 'disconnected' : `${problems.length} not well`
  const isWell = problems.length === 0
  return html`<header>
    <img src="/page/icon.svg" alt="" width="28" height="28" />
    <h1>Millrace</h1>
    <span class=${isWell ? 'pill good' : 'pill bad'}>${isWell ? 'live' : state}</span>
    <span class="moment">as of <time>${timeOfDay(picture.momentMs)}</time></span>
  </header>`
}

function Verdict({ problems }) {
  if (problems.length === 0) {
    return html`<section class="verdict well" aria-label="State"><b role="status">All is well</b></section>`
  }
  const number = `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`
  const rest = problems.slice(mostProblems)
  return html`<section class="verdict" aria-label="State">
    <b role="status">NOT WELL: ${number}</b>
    <ul>${problems.slice(0, mostProblems).map(problemItem)}</ul>
    ${
      rest.length > 0 &&
      html`<details><summary>${rest.length} more</summary><ul>${rest.map(problemItem)}</ul></details>`
    }
  </section>`
}

function problemItem({ subject, id, text }) {
  const link = html`<a href=${`#${encodeURIComponent(id)}`}>${text}</a>`
  return html`<li key=${subject + id}>${id === '' ? text : link}</li>`
}

function Spans({ span, onSpan }) {
  return html`<div class="spans" role="group" aria-label="Time shown by the charts">
    ${Object.entries(spans).map(
      ([key, { name }]) => html`<button key=${key} aria-pressed=${key === span ? 'true' : 'false'}
        onClick=${() => onSpan(key)}>${name}</button>`,
    )}
  </div>`
}
