// What of a visit waits on the tablet to be stored. The tap that ends the visit goes after it: then nothing is taken any more.

const senders = new Set();

export function noteUnsent(sender, waits) {
  if (waits) senders.add(sender);
  else senders.delete(sender);
}

export function isUnsent() {
  return senders.size > 0;
}
