// The flow: agents, topics and jobs side by side, in an order that does not depend on the figures,
// and the ledger of each job.

import { bytesPerSecond, count, duration, percent, perSecond } from './format.js'
import { html } from './markup.js'

/** Entries beyond this number are collapsed; the first ones keep their places. */
const mostShown = 8
const mostLedgers = 3
/** Fill from which a channel is shown as a problem (nearlyFull in health.ts). */
const nearlyFull = 0.9

export function Flow({ picture }) {
  const { agents, topics, jobs, topicsTotal } = picture
  const used = topics.filter(({ quiet }) => !quiet)
  const quiet = topics.filter((topic) => topic.quiet)
  return html`<section class="flow" aria-label="Flow">
    <${Stage} title="agents" empty="no agent has reported yet (millrace agent)" more="agents">
      ${agents.map(agentNode)}
    </${Stage}>
    <${Arrow} rate=${total(agents, 'linesPerSecond')} />
    <${Stage} title="topics" empty=${quiet.length === 0 ? 'no topic yet' : 'no topic is in use'} more="topics in use"
      after=${html`<${OtherTopics} quiet=${quiet} hidden=${topicsTotal - topics.length} />`}>
      ${used.map(topicNode)}
    </${Stage}>
    <${Arrow} rate=${total(jobs, 'recordsPerSecond')} />
    <${Stage} title="jobs" empty="no job has reported yet (millrace job submit)" more="jobs">
      ${jobs.map(jobNode)}
    </${Stage}>
  </section>`
}

/** The sum of the known values; null if none is known. */
function total(items, field) {
  const known = items.map((item) => item[field]).filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0)
}

function agentNode(agent) {
  const { id, name, host, state, silent, ageMs, linesPerSecond, linesTotal, channelFill } = agent
  const rate = silent ? `silent for ${duration(ageMs)}` : `${count(linesPerSecond)} lines/s`
  return html`<${Node} key=${id} id=${id} name=${name} bad=${silent || channelFill >= nearlyFull}
    main=${state === 'stopped' ? state : rate}
    more=${`${host}: ${count(linesTotal)} lines read, channel ${percent(channelFill)} full`} />`
}

function topicNode({
  name,
  partitions,
  recordsPerSecond,
  records,
  bytesInPerSecond,
  offlinePartitions,
}) {
  const offline =
    offlinePartitions > 0 ? `, ${offlinePartitions} of ${partitions} partitions without leader` : ''
  return html`<${Node} key=${name} id=${`topic/${name}`} name=${name} bad=${offlinePartitions > 0}
    main=${`${count(recordsPerSecond)} records/s`}
    more=${`${count(records)} stored, ${bytesPerSecond(bytesInPerSecond)} in${offline}`} />`
}

function jobNode({ id, name, state, error, silent, ageMs, recordsPerSecond, recordsTotal, lagMs }) {
  const rate = silent ? `silent for ${duration(ageMs)}` : `${count(recordsPerSecond)} records/s`
  const counted = `${count(recordsTotal)} counted`
  return html`<${Node} key=${id} id=${id} name=${name} bad=${silent || state === 'failed'}
    main=${state === 'running' ? rate : state}
    more=${state === 'running' ? `${counted}, ${duration(lagMs)} behind` : firstLine(error ?? counted)} />`
}

const firstLine = (text) => text.split('\n', 1)[0]

function Stage({ title, empty, more, after, children }) {
  const rest = children.slice(mostShown)
  return html`<div class="stage">
    <h2>${title}</h2>
    ${children.length > 0 ? children.slice(0, mostShown) : html`<p class="muted">${empty}</p>`}
    ${rest.length > 0 && html`<details><summary>${rest.length} more ${more}</summary>${rest}</details>`}
    ${after}
  </div>`
}

function Node({ id, name, main, more, bad }) {
  return html`<div class=${bad ? 'node bad-node' : 'node'} id=${id} tabindex="-1">
    <span class="name">${name}</span>
    <span class="value">${main}</span>
    <span class="muted more">${more}</span>
  </div>`
}

/** Topics in use come first: if the picture has a quiet topic, all topics left out are quiet. */
function OtherTopics({ quiet, hidden }) {
  if (quiet.length > 0) return html`<${QuietTopics} topics=${quiet} hidden=${hidden} />`
  if (hidden === 0) return null
  return html`<p class="muted">and ${count(hidden)} more topics, later by name</p>`
}

function QuietTopics({ topics, hidden }) {
  const number = topics.length + hidden
  return html`<details class="quiet">
    <summary>${count(number)} quiet ${number === 1 ? 'topic' : 'topics'}</summary>
    <table>
      <thead><tr><th scope="col">topic</th><th scope="col">partitions</th><th scope="col">stored</th></tr></thead>
      <tbody>
        ${topics.map(
          ({ name, partitions, records }) => html`<tr key=${name} id=${`topic/${name}`}>
            <td>${name}</td><td>${count(partitions)}</td><td>${count(records)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    ${hidden > 0 && html`<p class="muted">and ${count(hidden)} more</p>`}
  </details>`
}

function Arrow({ rate }) {
  return html`<div class="arrow">
    <span class="muted">${rate === null ? '' : perSecond(rate)}</span>
    <svg viewBox="0 0 48 16" aria-hidden="true"><path d="M2 8h40M36 2l7 6-7 6" /></svg>
  </div>`
}

export function Ledgers({ ledgers }) {
  if (ledgers.length === 0) return null
  const rows = ledgers.map(
    (ledger) =>
      html`<p key=${ledger.job}><span class="name">${ledger.job}</span> ${terms(ledger)}</p>`,
  )
  const rest = rows.slice(mostLedgers)
  return html`<section class="ledger" aria-label="Ledger">
    <h2>where every line is</h2>
    ${rows.slice(0, mostLedgers)}
    ${rest.length > 0 && html`<details><summary>${rest.length} more jobs</summary>${rest}</details>`}
  </section>`
}

/**
 * One equation: lines read, and where they are. Terms that are 0 are left out unless users look for
 * them.
 */
function terms({ read, elsewhere, onTheWay, before, counted, waiting }) {
  const term = (value, name, sign) =>
    html`<span class="term" key=${name}>${sign} <b>${count(value)}</b> ${name}</span>`
  return [
    term(read, 'read by agents', ''),
    elsewhere > 0 && term(elsewhere, 'from other producers or before', '+'),
    term(counted, 'counted', '='),
    before > 0 && term(before, 'stored before the job began', '+'),
    term(waiting, 'stored and waiting', '+'),
    term(onTheWay, 'on the way to the broker', '+'),
  ]
}
