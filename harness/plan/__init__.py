"""The plan: YAML files in, jobs out. Nothing here runs a job or opens a model."""
