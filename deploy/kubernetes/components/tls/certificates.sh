#!/bin/sh
# Makes a CA of your own, and of it a certificate for each server, two years long: sh certificates.sh FOLDER. Again, it makes new
# certificates of the same CA. Keep FOLDER/ca.key out of the cluster. `localhost` is for people who forward a port.
set -eu
umask 077
mkdir -p "$1"
cd "$1"

new_key() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "$@"; }

certify() {
  mkdir -p "$1"
  new_key -keyout "$1/tls.key" -out request -subj "/CN=$1"
  printf 'subjectAltName=%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' "$2" > extensions
  openssl x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1/tls.crt" -days 730 -extfile extensions
  cp ca.crt "$1/ca.crt"
  rm request extensions
}

[ -s ca.crt ] || new_key -x509 -keyout ca.key -out ca.crt -days 3650 -subj '/CN=Holdfast between pods'
certify nats DNS:nats-0.nats,DNS:nats-1.nats,DNS:nats-2.nats
certify postgres DNS:postgres
certify redis DNS:redis
