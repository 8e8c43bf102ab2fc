// The kinds of variables: each reads one text, and says in words what it allows.

import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';

/** What a theme's variables are read as. */
export type Values<Variables extends Readonly<Record<string, z.ZodType>>> = {
  readonly [Name in keyof Variables]: z.output<Variables[Name]>;
};

/** A rule over several variables is broken. */
export interface Mistake {
  /** The variable that is to be changed. */
  readonly name: string;
  /** The end of a sentence: "it must be ...". */
  readonly allowed: string;
}

/** One variable. `read` turns its text into a value; `undefined` from `read` is a mistake. An unset variable is `fallback`. */
export function variable<T>(fallback: T, allowed: string, read: (text: string) => T | undefined) {
  return z
    .string()
    .optional()
    .transform((text, context): T => {
      const value = text === undefined ? fallback : read(text);
      if (value !== undefined || text === undefined) return value as T;
      // `continue`: the rules over several variables are checked as well.
      context.issues.push({ code: 'custom', message: allowed, input: text, continue: true });
      return fallback;
    });
}

/** A variable that has no default. */
export const optional = <T>(allowed: string, read: (text: string) => T | undefined) =>
  variable<T | undefined>(undefined, allowed, read);

/** @param allowed what the whole list is, in words; `read` reads one entry */
export const listOf = (allowed: string, read: (entry: string) => string | undefined) =>
  variable<string[]>([], `${allowed}, with commas between`, (text) => {
    const entries = text.split(',').map((entry) => read(entry.trim()));
    const good = entries.filter((entry) => entry !== undefined);
    return good.length === entries.length ? good : undefined;
  });

export const integer = (fallback: number, from: number, to: number) => wholeNumber<number>(fallback, from, to);

/** Unset: undefined. */
export const optionalInteger = (from: number, to: number) => wholeNumber<number | undefined>(undefined, from, to);

export const oneOf = <const W extends string>(words: readonly W[], fallback: W) =>
  variable<W>(fallback, words.join(' or '), wordOf(words));

/** Unset: another variable decides. */
export const onOrOff = optional('on or off', wordOf(['on', 'off']));

const VISIBLE = 'text of 1 to 200 visible characters';
export const text = (fallback: string) => variable(fallback, VISIBLE, visible);
export const optionalText = optional(VISIBLE, visible);

export const path = (fallback: string) => variable(fallback, 'a path', pathOf);
export const optionalPath = optional('the path of a file', pathOf);

/** A URL. If `scheme` is given, the text may leave the scheme out. */
export function urlOf(given: string, allowed: RegExp, scheme?: string): string | undefined {
  const whole = scheme !== undefined && !given.includes('://') ? `${scheme}://${given}` : given;
  return allowed.test(whole) && (URL.canParse(whole) || isPostgresUrl(whole)) ? whole : undefined;
}

export const withoutEndSlashes = (url: string | undefined): string | undefined => url?.replace(/\/+$/, '');

/** The text, where all of it is as the pattern has it. */
export const matching = (pattern: RegExp) => (given: string) => (pattern.test(given) ? given : undefined);

// ---------------------------------------------------------------- machinery

function wholeNumber<T extends number | undefined>(fallback: T, from: number, to: number) {
  return variable<T | number>(fallback, `a whole number from ${from} to ${to}`, (given) => {
    const value = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN;
    return value >= from && value <= to ? value : undefined;
  });
}

function wordOf<const W extends string>(words: readonly W[]) {
  return (given: string): W | undefined => words.find((word) => word === given.toLowerCase());
}

function visible(given: string): string | undefined {
  return /^[^\p{Cc}]{1,200}$/u.test(given) ? given : undefined;
}

function pathOf(given: string): string | undefined {
  return given.includes('\0') ? undefined : given;
}

/** libpq allows several hosts, which no URL parser accepts. */
function isPostgresUrl(given: string): boolean {
  try {
    return (
      /^postgres/.test(given) &&
      parsePostgresUrl(given, {}).hosts.every(({ host }) => !/[[\]]/.test(host) || isIPv6(host))
    );
  } catch {
    return false;
  }
}
