// The parts of prom-client that are used. Its index also loads process collectors, clustering,
// gateways and, for one of them, the OpenTelemetry API: a sixth of a broker's start time.

import { createRequire } from 'node:module'
import type * as prometheus from 'prom-client'

const require = createRequire(import.meta.url)

export const Counter = require('prom-client/lib/counter.js') as typeof prometheus.Counter
export const Gauge = require('prom-client/lib/gauge.js') as typeof prometheus.Gauge
export const Histogram = require('prom-client/lib/histogram.js') as typeof prometheus.Histogram
export const Registry = require('prom-client/lib/registry.js') as typeof prometheus.Registry
