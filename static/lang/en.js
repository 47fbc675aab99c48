// What the page says, in English. Each section belongs to the part of the page that it is named after.

export default {
  // --- the page around: app, topbar, composer, account
  'app.skip': 'Skip to the message field',
  // --- conversations: the list at the left

  // --- chat: turns, answers, results

  // --- controls: buttons, tables, charts, machines

  // --- cockpit: drawer, turns, trace, graph, tests, state

  // --- connection and refusals

};
