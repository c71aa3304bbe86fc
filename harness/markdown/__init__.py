"""Markdown read and written in one way: blocks and tables with their lines, rows of tables, marked places of pages."""
