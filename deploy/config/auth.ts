// Who may do what: keys, and the tokens of an issuer.

import { type Mistake, matching, oneOf, optional, optionalText, urlOf, type Values } from './kinds.js';

const WEB_URL = /^https?:\/\/\S+$/;

export const authVariables = {
  AUTH: oneOf(['off', 'keys'], 'off'),
  ADMIN_KEY: optional('at least 32 visible characters without blanks', matching(/^[!-~]{32,512}$/)),
  JWT_ISSUER: optional('the URL that the tokens name as their issuer, such as https://login.example.org', (given) =>
    urlOf(given, WEB_URL),
  ),
  JWT_AUDIENCE: optionalText,
  JWT_JWKS_URL: optional('a URL such as https://login.example.org/jwks.json', (given) => urlOf(given, WEB_URL)),
};

type Env = Values<typeof authVariables>;

export function authMistakes({ JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL }: Env): readonly Mistake[] {
  if ([JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL].every((value) => value === undefined)) return [];
  const mistakes: Mistake[] = [];
  if (JWT_ISSUER === undefined) mistakes.push({ name: 'JWT_ISSUER', allowed: 'the issuer, as the tokens name it' });
  if (JWT_AUDIENCE === undefined) {
    mistakes.push({
      name: 'JWT_AUDIENCE',
      allowed: 'what the tokens name as their audience: others are for other services',
    });
  }
  return mistakes;
}

export const authSettings = (env: Env) => ({
  auth: env.AUTH,
  adminKey: env.ADMIN_KEY,
  /** Undefined: no tokens are accepted. */
  tokens:
    env.JWT_ISSUER === undefined || env.JWT_AUDIENCE === undefined
      ? undefined
      : { issuer: env.JWT_ISSUER, audience: env.JWT_AUDIENCE, jwksUrl: env.JWT_JWKS_URL },
});
