// The table of the metrics of an actor system.

import type { MetricSpec } from '../telemetry/metrics/metricSpec.ts'

export const actorMetrics = {
  actors: {
    name: 'millrace_actors',
    type: 'gauge',
    help: 'Actors that run: the components of an agent, and those above them.',
    labels: ['system'],
  },
  queued: {
    name: 'millrace_actor_mailbox_messages',
    type: 'gauge',
    help: 'Messages accepted and not yet handled, over all actors.',
    labels: ['system'],
  },
  failed: {
    name: 'millrace_actor_failures_total',
    type: 'counter',
    help: 'Failures of actors.',
  },
  restarted: {
    name: 'millrace_actor_restarts_total',
    type: 'counter',
    help: 'Restarts of actors after a failure.',
  },
  waited: {
    name: 'millrace_actor_mailbox_waits_total',
    type: 'counter',
    help: 'Messages that had to wait because the mailbox of their actor was full.',
  },
  deadLetters: {
    name: 'millrace_actor_dead_letters_total',
    type: 'counter',
    help: 'Messages that no actor has handled, by reason: stopped (sent to an actor that had stopped), dropped (in its mailbox when it stopped) or failed.',
    labels: ['reason'],
  },
} as const satisfies Record<string, MetricSpec>
