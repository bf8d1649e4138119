// The footer (program, version, links) and the first steps, shown while there are no agents, topics
// or jobs.

import { dateAndTime } from './format.js'
import { html } from './markup.js'

/** Links of the footer. Not every console serves all of them. */
const links = [
  ['/api', 'administer it: the REST API, to try'],
  ['/openapi.json', 'OpenAPI'],
  ['/metrics', 'metrics'],
  ['/healthy', 'healthy'],
  ['/ready', 'ready'],
]

/** `about` is the body of `/version`; undefined until it is known. */
export function About({ about }) {
  return html`<footer>
    <span>${about ? named(about) : 'Millrace'}</span>
    <nav aria-label="Beside this page">
      ${links.map(([path, text]) => html`<a key=${path} href=${path}>${text}</a>`)}
    </nav>
  </footer>`
}

function named({ program, version, commit, node, startedMs }) {
  const build = commit === undefined ? '' : ` (${commit.slice(0, 12)})`
  return `Millrace ${version}${build}, ${program} on Node ${node}, started ${dateAndTime(startedMs)}`
}

/** First steps with a new broker, each with its command. */
const steps = [
  ['Write with any Kafka client', 'echo hello | kcat -b 127.0.0.1:9092 -t first -P'],
  ['Tail files of a host', 'millrace agent --name access --conf-file access.conf'],
  ['Count what comes in', 'millrace job submit purchases.ts --bootstrap 127.0.0.1:9092'],
  ['See all three at work', 'millrace demo'],
]

export function Begin() {
  return html`<section class="begin" aria-labelledby="begin">
    <h2 id="begin">nothing flows yet</h2>
    <p>The broker runs and is empty. Put the address that it listens on in place of 127.0.0.1:9092.</p>
    <dl>
      ${steps.map(
        ([text, command]) =>
          html`<div key=${text}><dt>${text}</dt><dd><code>${command}</code></dd></div>`,
      )}
    </dl>
    <p class="muted">
      Samples of configurations, for nginx, user behaviour and sensors, are in docs/deploy of the package.
    </p>
  </section>`
}

/** Whether there is nothing to show. */
export const isEmpty = ({ agents, jobs, topicsTotal }) =>
  agents.length + jobs.length + topicsTotal === 0
