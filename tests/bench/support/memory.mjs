import {readFileSync} from 'node:fs';

// What a running service holds, of the kernel's own account, in MB. `field`: VmRSS, or VmHWM for the most it ever held.
export function memoryOf(service, field) {
  const status = readFileSync(`/proc/${service.pid}/status`, 'utf8');
  return Number(status.match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'))[1]) * 1024 / 1e6;
}
