/** Server-sent events out of pieces of text (the HTML standard, 9.2), wherever the pieces are cut. */

export interface Frame {
  /** `message` if the frame names none. */
  readonly type: string;
  /** Empty if the frame only moves the place on. */
  readonly data: string;
  readonly id?: string;
  readonly retryMs?: number;
}

export class SseFrames {
  private rest = '';

  /** @returns the frames that are whole now; one that is cut waits for its end */
  take(piece: string): Frame[] {
    const text = (this.rest + piece).replaceAll('\r\n', '\n');
    const frames = text.split('\n\n');
    this.rest = frames.pop() ?? '';
    return frames.map(frameOf);
  }
}

function frameOf(text: string): Frame {
  let type = 'message';
  const data: string[] = [];
  const more: { id?: string; retryMs?: number } = {};
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon === 0) continue; // A comment keeps the connection alive.
    const [name, rest] = colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1)];
    const value = rest.startsWith(' ') ? rest.slice(1) : rest;
    if (name === 'event') type = value;
    else if (name === 'data') data.push(value);
    else if (name === 'id') more.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) more.retryMs = Number(value);
  }
  return { type, data: data.join('\n'), ...more };
}
