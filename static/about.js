// What there is to say about the model and the server.

import { html } from './vendor/ui.mjs';
import { health } from './session.js';

/** @param {{isDemo: boolean}} props */
export function About({ isDemo }) {
  const { name, source } = health.value.model;
  return html`
    ${isDemo ? html`<${AboutDemo} />` : html`<p><b>${name}</b></p><p>${source}</p>`}
    <${Server} />
  `;
}

function AboutDemo() {
  return html`
    <p><b>This is the demo model.</b> It follows a short list of rules and understands only the examples. The frames, the
      buttons and the traces are real.</p>
    <p>To talk to a real model, start the server with one:</p>
    <pre tabindex="0"><code>OPENAI_API_KEY=… framewright${'\n'}framewright --model NAME \\${'\n'}  --llm-url http://localhost:11434/v1</code></pre>
  `;
}

function Server() {
  const { version, graph, io } = health.value;
  const facts = [version && `framewright ${version}`, graph && `graph ${graph}`, io].filter(Boolean);
  return facts.length > 0 && html`<p class="facts">${facts.join(' · ')}</p>`;
}
