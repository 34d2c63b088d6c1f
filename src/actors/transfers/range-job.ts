/** What one request to a mirror is made of. Pure. */
import { locate } from '../../core/archive/location.ts';
import type { FileInfo, RangeJob } from '../source.ts';

type Optional = 'reload' | 'ahead' | 'again' | 'others' | 'end' | 'size' | 'ifRange' | 'revalidate';
type NewJob = Omit<RangeJob, 'id' | 'path'>;
export type JobParts = Omit<NewJob, Optional | 'headersOnly'> & { [K in Optional]?: RangeJob[K] | undefined };

/**
 * The same without the parts that are not there: absent is what a source looks for. What is by-hash need not be asked
 * for anew.
 */
export function rangeJob({ reload, ahead, again, others, end, size, ifRange, revalidate, ...rest }: JobParts): NewJob {
  return {
    ...rest,
    ...(reload === true && locate(rest.url).kind !== 'by-hash' && { reload }),
    ...(ahead !== undefined && { ahead }),
    ...(again === true && { again }),
    ...(others === true && { others }),
    ...(end !== undefined && { end }),
    ...(size !== undefined && { size }),
    ...(ifRange !== undefined && { ifRange }),
    ...(revalidate !== undefined && { revalidate }),
  };
}

/** What If-Range may carry: a strong ETag, else the date (RFC 9110 section 13.1.5). */
export function strongValidator(info: FileInfo | undefined): string | undefined {
  if (info?.etag?.startsWith('"') === true) return info.etag;
  return info?.etag === undefined ? info?.lastModified : undefined;
}
