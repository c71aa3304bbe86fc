"""From the frame to Markdown: table specs, tables of strings, comparisons, captions and pages."""
