import react from '@vitejs/plugin-react';
import { defineConfig, type PluginOption } from 'vite';
import { brotliSiblings } from './plugins/brotli.ts';

/** `npm run dev` answers the API from dev/, or from a server named in THROUGHLINE_API. */
async function devApi(): Promise<PluginOption> {
  if (process.env.THROUGHLINE_API) return null;
  const { mockApi } = await import('./dev/mock_plugin.ts');
  return mockApi();
}

export default defineConfig(async ({ command }) => ({
  plugins: [react(), brotliSiblings(), command === 'serve' && !process.env.VITEST ? await devApi() : null],
  build: { target: 'es2023', chunkSizeWarningLimit: 900, reportCompressedSize: false },
  worker: { format: 'es' as const },
  server: process.env.THROUGHLINE_API
    ? { proxy: { '/api': { target: process.env.THROUGHLINE_API, changeOrigin: true } } }
    : {},
  test: { include: ['app/**/*.test.ts'], environment: 'node' },
}));
