// htm bound to preact: markup as tagged templates, with no build step.

import htm from 'htm'
import { Component, h, render } from 'preact'

export const html = htm.bind(h)
export { Component, render }
