"""Hugepages of 2 MB for the rivals that cannot do without; put back as they were."""

NUMBER = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
FREE = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"


class HugepageError(RuntimeError):
    pass


def _read(path):
    with open(path, encoding="ascii") as file:
        return int(file.read())


class Hugepages:
    """Context manager: `pages` free hugepages."""

    def __init__(self, pages):
        self._pages = pages
        self._before = None

    def __enter__(self):
        missing = self._pages - _read(FREE)
        if missing <= 0:
            return self
        before = _read(NUMBER)
        try:
            self._write(before + missing)
        except OSError as error:
            raise HugepageError(f"{missing} more hugepages of 2 MB are wanted: {error}") from error
        self._before = before
        if _read(FREE) < self._pages:
            self.__exit__()
            raise HugepageError(f"the kernel does not find {self._pages} hugepages of 2 MB")
        return self

    def __exit__(self, *_):
        if self._before is not None:
            self._write(self._before)
            self._before = None

    @staticmethod
    def _write(pages):
        with open(NUMBER, "w", encoding="ascii") as file:
            file.write(str(pages))
