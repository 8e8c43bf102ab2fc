/** The messages of the shops, read from their .proto files. Fields that these files do not name are not read. */
import { fileURLToPath } from 'node:url';
import { loadSync, type MethodDefinition, type PackageDefinition } from '@grpc/proto-loader';

export interface Money {
  readonly currency_code?: string;
  readonly units?: string;
  readonly nanos?: number;
}

export interface Address {
  readonly street_address?: string;
  readonly city?: string;
  readonly state?: string;
  readonly country?: string;
  /** A number in Online Boutique, text in the OpenTelemetry demo. */
  readonly zip_code?: number | string;
}

export interface OrderResult {
  readonly order_id?: string;
  readonly shipping_tracking_id?: string;
  readonly shipping_cost?: Money;
  readonly shipping_address?: Address;
  readonly items?: readonly {
    readonly item?: { readonly product_id?: string; readonly quantity?: number };
    readonly cost?: Money;
  }[];
}

interface PlaceOrderRequest {
  readonly user_id?: string;
  readonly email?: string;
}

interface Confirmation {
  readonly email?: string;
  readonly order?: OrderResult;
}

/** The compiled code is in dist/http/boutique. */
const files = ['hipstershop.proto', 'oteldemo.proto'].map((name) =>
  fileURLToPath(new URL(`../../../http/boutique/${name}`, import.meta.url)),
);

export const shopProtos: PackageDefinition = loadSync(files, { keepCase: true, longs: String });

/** Both shops have the same services; the OpenTelemetry demo sends its confirmations over HTTP. */
export type Shop = 'hipstershop' | 'oteldemo';

export const placeOrderPath = (shop: Shop): string => `/${shop}.CheckoutService/PlaceOrder`;
export const CONFIRMATION_PATH = '/hipstershop.EmailService/SendOrderConfirmation';

/** @throws where the bytes are no such message */
export const readPlaceOrderRequest = (shop: Shop, bytes: Buffer): PlaceOrderRequest =>
  method(shop, 'CheckoutService', 'PlaceOrder').requestDeserialize(bytes);

/** @throws where the bytes are no such message */
export const readPlaceOrderResponse = (shop: Shop, bytes: Buffer): { readonly order?: OrderResult } =>
  method(shop, 'CheckoutService', 'PlaceOrder').responseDeserialize(bytes);

/** @throws where the bytes are no such message */
export const readConfirmation = (bytes: Buffer): Confirmation =>
  method('hipstershop', 'EmailService', 'SendOrderConfirmation').requestDeserialize(bytes);

// ---------------------------------------------------------------- machinery

function method(shop: Shop, service: string, name: string): MethodDefinition<object, object> {
  const definition = shopProtos[`${shop}.${service}`] as { readonly [name: string]: MethodDefinition<object, object> };
  const found = definition?.[name];
  if (found === undefined) throw new Error(`${shop}.proto has no ${service}.${name}`);
  return found;
}
