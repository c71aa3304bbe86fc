"""A number over sessions, or against another: as text, and as SVG beside a page."""
