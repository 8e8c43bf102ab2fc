/** How Kafka is reached, and why it refuses, in words that name the variable to correct. */
import { X509Certificate } from 'node:crypto';

export interface KafkaAccess {
  /** host:port */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Undefined: no TLS. The texts are PEM. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
  readonly sasl:
    | {
        readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
        readonly user: string;
        readonly password: string;
      }
    | undefined;
  /** Copies of topics that are made here; undefined: as the brokers have it. */
  readonly replication: number | undefined;
}

/** What is known of an error that Kafka's answer does not explain. */
interface Refusal {
  /** The error's name in Kafka's protocol, if Kafka has answered. */
  readonly id: string | undefined;
  /** Where it all began, such as a certificate that is not accepted. */
  readonly root: unknown;
  readonly ofUser: boolean;
  /** Whether Kafka has answered anything before. */
  readonly isKnown: boolean;
}

/** @returns the end of a sentence that begins with `Kafka at …`; undefined where the access is not at fault */
export function whyRefused({ id, root, ofUser, isKnown }: Refusal, access: KafkaAccess): string | undefined {
  const { tls, sasl } = access;
  const { code = '', message = '', cert } = (root instanceof Error ? root : {}) as TlsError;
  if (id === 'ILLEGAL_SASL_STATE') return 'asks for no user: turn KAFKA_SASL off, or correct the port in KAFKA_BROKERS';
  if (id === 'UNSUPPORTED_SASL_MECHANISM') return `does not take ${sasl?.mechanism}: correct KAFKA_SASL`;
  if (ofUser)
    return `refuses the user or the password: correct KAFKA_SASL_USER or KAFKA_SASL_PASSWORD (${sasl?.mechanism})`;
  if (UNTRUSTED.has(code)) {
    return `shows a certificate of an unknown authority (${message}): KAFKA_TLS_CA must be the file of that authority`;
  }
  if (OUT_OF_DATE.has(code)) {
    return `shows a certificate out of date (${message}): renew it, and the authority in KAFKA_TLS_CA if that is old too`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `shows a certificate of another host (${cert?.subjectaltname}): KAFKA_BROKERS and the addresses that the brokers advertise must be among its names`;
  }
  if (ALERT.test(code)) return refusedCertificate(message, tls?.cert);
  if (tls !== undefined && NO_TLS.test(`${code} ${message}`)) {
    return 'does not speak TLS: turn KAFKA_TLS off, or correct the port in KAFKA_BROKERS';
  }
  if (UNREACHED.has(code)) return `is not reached (${message}): is it running, and KAFKA_BROKERS right?`;
  const unused = [...(tls === undefined ? ['KAFKA_TLS'] : []), ...(sasl === undefined ? ['KAFKA_SASL'] : [])];
  if (isKnown || unused.length === 0 || !CLOSED.test(message)) return undefined;
  return `closes the connection at once: does it want what is off here, ${unused.join(' or ')}?`;
}

// ---------------------------------------------------------------- machinery

interface TlsError extends Error {
  readonly code?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_SIGNATURE_FAILURE'],
]);
const OUT_OF_DATE: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
const UNREACHED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
const ALERT = /^ERR_SSL_\w*ALERT_\w*(CERTIFICATE|UNKNOWN_CA)/;
const NO_TLS = /before secure TLS connection|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG/;
/** In the driver's words. */
const CLOSED = /^Connection closed/;

function refusedCertificate(message: string, pem: string | undefined): string {
  if (pem === undefined) return 'wants a certificate: set KAFKA_TLS_CERT and KAFKA_TLS_KEY';
  const { subject, issuer, validTo } = new X509Certificate(pem);
  const [alert = 'not accepted'] = /alert [a-z ]+/.exec(message) ?? [];
  return `refuses the certificate of KAFKA_TLS_CERT (${alert}): it is ${oneLine(subject)}, of ${oneLine(issuer)}, valid until ${validTo}`;
}

const oneLine = (name: string): string => name.replaceAll('\n', ', ');
