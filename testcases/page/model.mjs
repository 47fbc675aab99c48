// A model server with a script: each prompt begins with its node's name, and the script says what that node answers.

import { createServer } from 'node:http';

/** @param {Record<string, unknown>} script node → its answer, or a function that gives it, perhaps later; what is no text is sent as JSON */
export async function scripted(script) {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (bytes) => (body += bytes));
    request.on('end', () => answer(response, body && JSON.parse(body), script));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return { url: `http://127.0.0.1:${port}/v1`, close: () => server.close() };
}

async function answer(response, { messages = [], stream } = {}, script) {
  const [, node] = /^# (\w+)/.exec(messages[0]?.content ?? '') ?? [];
  const made = script[node] ?? '';
  const said = typeof made === 'function' ? await made() : made;
  const content = typeof said === 'string' ? said : JSON.stringify(said);
  const choice = (part, finish_reason) => ({ id: 'c', object: 'chat.completion', model: 'scripted', choices: [{ index: 0, ...part, finish_reason }] });
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify(choice({ message: { role: 'assistant', content } }, 'stop')));
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of [choice({ delta: { role: 'assistant', content } }, null), choice({ delta: {} }, 'stop')]) response.write(`data: ${JSON.stringify(event)}\n\n`);
  response.end('data: [DONE]\n\n');
}
