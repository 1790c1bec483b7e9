import ctypes
from typing import Any

from pypdfium2 import PdfDocument

def FPDFCatalog_GetLanguage(  # noqa: N802
    document: PdfDocument, language: ctypes.Array[ctypes.c_ushort] | None, buflen: int
) -> int: ...
def __getattr__(name: str) -> Any: ...
