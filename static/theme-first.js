// Applies the remembered theme before the first paint; everything else about themes is in theme.js.
try {
  const theme = localStorage.getItem('framewright:theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden here: the system's theme it is.
}
