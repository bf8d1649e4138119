// 'millrace/testing' for CommonJS. Jest runs test files in a vm context, which cannot load ES
// modules without a Node flag: this file loads the broker outside of it, where Jest's fake timers
// do not reach it either.
'use strict'

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const vm = require('node:vm')

/**
 * Whether this runs in a vm context of a test runner; Node prints a warning for loading this way,
 * but not for a plain import.
 */
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

// Loaded eagerly, so that the first test does not wait for it. A failure is reported by each call.
const testing = load(pathToFileURL(entry).href)
testing.catch(() => {})

exports.startBroker = async (options) => (await testing).startBroker(options)
