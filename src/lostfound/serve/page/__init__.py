"""The page of the server: its files, its base map, and what a browser may do on it."""

from lostfound.serve.page.files import PageFile, as_page_file, content_security_policy, page_file, page_files

__all__ = ["PageFile", "as_page_file", "content_security_policy", "page_file", "page_files"]
