import { Link } from '@tanstack/react-router';
import { Notice } from '../shell/notice.tsx';

export function NotFoundPage() {
  return (
    <Notice title="There is no such page">
      The address may be mistyped or from another version. <Link to="/traces">Search traces</Link>
    </Notice>
  );
}
