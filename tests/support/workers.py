"""Which tests stay together where several workers share them: those of a file, which have its fixtures in common."""

from xdist.scheduler import LoadScopeScheduling


class Files(LoadScopeScheduling):
    """Hands out whole files, but of some files single tests."""

    def __init__(self, config, log, *, spread):
        """Take what xdist gives, and the names of those files."""
        super().__init__(config, log)
        self.spread = spread

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return nodeid if file.endswith(self.spread) else file
