// 'millrace/testing' for CommonJS. Jest runs test files inside a context of its own, which cannot load ES modules
// without a flag of Node: this loads the broker outside of it, where Jest's fake timers do not reach it either.
'use strict'

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const vm = require('node:vm')

/** In a context of its own, a test runner's; Node prints a warning for this way in, and none for the plain one. */
const isInside = vm.runInThisContext('globalThis') !== globalThis
const load = isInside
  ? new vm.Script('(url) => import(url)', {
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }).runInThisContext()
  : (url) => import(url)

/** JavaScript in the package, TypeScript in a checkout. */
const entry = ['testing.js', 'testing.ts']
  .map((name) => join(__dirname, name))
  .find((path) => existsSync(path))

// At once, so that the first test does not wait for it. A failure is that of each call.
const testing = load(pathToFileURL(entry).href)
testing.catch(() => {})

exports.startBroker = async (options) => (await testing).startBroker(options)
