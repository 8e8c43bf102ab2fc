// `holdfast archive`, which is killed by SIGKILL at the very moment when it says a step: KILL_AT is a pattern for the line.

const at = new RegExp(process.env.KILL_AT ?? 'no line');
const write = process.stderr.write.bind(process.stderr);
process.stderr.write = ((text: string) => {
  write(text);
  if (at.test(text)) process.kill(process.pid, 'SIGKILL');
  return true;
}) as typeof process.stderr.write;
await import('../../../deploy/cli.js');
