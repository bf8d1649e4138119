// What is used of prom-client. Its index also loads what it measures a process with, clustering, gateways and, for one
// of them, the API of OpenTelemetry: a sixth of the time in which a broker starts.

import { createRequire } from 'node:module'
import type * as prometheus from 'prom-client'

const require = createRequire(import.meta.url)

export const Counter = require('prom-client/lib/counter.js') as typeof prometheus.Counter
export const Gauge = require('prom-client/lib/gauge.js') as typeof prometheus.Gauge
export const Histogram = require('prom-client/lib/histogram.js') as typeof prometheus.Histogram
export const Registry = require('prom-client/lib/registry.js') as typeof prometheus.Registry
