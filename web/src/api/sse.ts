// Server-sent events read through fetch, since EventSource cannot carry a token. Parser after the HTML standard's
// "event stream interpretation".

export interface ServerEvent {
  event: string;
  data: string;
  id: string;
}

export class EventParser {
  private buffer = '';
  private data: string[] = [];
  private event = '';
  private lastId = '';
  private first = true;
  retryMs: number | undefined;

  /** Takes a piece of the stream, gives the events that it completed. */
  push(text: string): ServerEvent[] {
    if (this.first && text.length > 0) {
      this.first = false;
      if (text.startsWith('\ufeff')) text = text.slice(1);
    }
    this.buffer += text;
    const found: ServerEvent[] = [];
    let begin = 0;
    for (let i = 0; i < this.buffer.length; ++i) {
      const sign = this.buffer[i];
      if (sign !== '\n' && sign !== '\r') continue;
      // A carriage return at the very end may be half of a line end.
      if (sign === '\r' && i + 1 === this.buffer.length) break;
      const event = this.line(this.buffer.slice(begin, i));
      if (event) found.push(event);
      if (sign === '\r' && this.buffer[i + 1] === '\n') ++i;
      begin = i + 1;
    }
    this.buffer = this.buffer.slice(begin);
    return found;
  }

  private line(line: string): ServerEvent | undefined {
    if (line === '') {
      const event = this.data.length ? { event: this.event || 'message', data: this.data.join('\n'), id: this.lastId } : undefined;
      this.data = [];
      this.event = '';
      return event;
    }
    if (line.startsWith(':')) return undefined;
    const cut = line.indexOf(':');
    const field = cut < 0 ? line : line.slice(0, cut);
    const value = cut < 0 ? '' : line.slice(cut + 1).replace(/^ /, '');
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
    else if (field === 'id' && !value.includes('\0')) this.lastId = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
    return undefined;
  }
}
