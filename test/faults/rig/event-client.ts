// A client of server-sent events that reads frames as EventSource does: what is cut off counts for nothing.

import { get, type IncomingMessage } from 'node:http';

interface Frame {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string | undefined;
}

export class EventClient {
  /** Ids of the events in the order in which they came. */
  readonly told: string[] = [];
  readonly controls: Frame[] = [];
  lastId = '';
  /** Connections that got 200. */
  connections = 0;

  /** Listens at an address for a time, or until the reply ends; then hangs up, wherever it is. */
  listen(url: string, forMs: number, answerMs = 5_000): Promise<void> {
    return new Promise((resolve) => {
      const headers = { accept: 'text/event-stream', ...(this.lastId !== '' && { 'last-event-id': this.lastId }) };
      let text = '';
      const request = get(url, { headers, agent: false, timeout: answerMs }, (reply: IncomingMessage) => {
        if (reply.statusCode !== 200) return void request.destroy();
        this.connections++;
        request.setTimeout(0);
        setTimeout(() => request.destroy(), forMs).unref();
        reply.setEncoding('utf8').on('data', (piece: string) => {
          const frames = (text + piece).split('\n\n');
          text = frames.pop() ?? '';
          for (const frame of frames) this.take(frameOf(frame));
        });
        reply.on('error', () => {});
      });
      request.on('timeout', () => request.destroy());
      request.on('error', () => {});
      request.on('close', () => resolve());
    });
  }

  private take(frame: Frame): void {
    this.lastId = frame.id ?? this.lastId;
    if (frame.data === undefined) return;
    if (frame.event === undefined) this.told.push((JSON.parse(frame.data) as { id: string }).id);
    else this.controls.push(frame);
  }
}

function frameOf(text: string): Frame {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1];
  return { id: field('id'), event: field('event'), data: field('data') };
}
