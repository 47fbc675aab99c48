// The types of what `oauth.mjs` exports, for editors and `npm run types`.

export * from 'oauth4webapi';
