// What the page says, in German. The keys are those of `en.js`.

export default {
  // --- the page around: app, topbar, composer, account
  'app.skip': 'Zum Nachrichtenfeld springen',
  // --- conversations: the list at the left

  // --- chat: turns, answers, results

  // --- controls: buttons, tables, charts, machines

  // --- cockpit: drawer, turns, trace, graph, tests, state

  // --- connection and refusals

};
