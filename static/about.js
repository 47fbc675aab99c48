// What there is to say about the model and the server.

import { html } from './vendor/ui.mjs';
import { t } from './i18n.js';
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
    <p><b>${t('about.demo')}</b> ${t('about.rules')}</p>
    <p>${t('about.other')}</p>
    <pre tabindex="0"><code>OPENAI_API_KEY=… framewright${'\n'}framewright --model NAME \\${'\n'}  --llm-url http://localhost:11434/v1</code></pre>
  `;
}

function Server() {
  const { version, graph, io } = health.value;
  const facts = [version && `framewright ${version}`, graph && t('menu.graph', { graph }), io].filter(Boolean);
  return facts.length > 0 && html`<p class="facts">${facts.join(' · ')}</p>`;
}
