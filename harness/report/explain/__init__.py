"""Why a cell says what it says: where it stands, its arithmetic, and everything behind its inputs."""
