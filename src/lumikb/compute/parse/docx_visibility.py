"""Which runs of a Word document are hidden text, which Word neither shows nor prints."""

from lumikb.compute.parse.ooxml import Attributes, is_on

# The elements that hold run properties: of a run, and of other things that are within or around runs.
_PROPERTIES = {"rPr", "pPr", "sdtPr", "sdtEndPr", "ctrlPr"}


class Visibility:
    """Follows the elements of one part. What is within a hidden run, such as a text box, is hidden with it.

    A run is hidden by `w:vanish` among its own properties (ECMA-376, 17.3.2.41); what its styles say is not read.
    `is_hidden` says whether what stands here is hidden.
    """

    def __init__(self) -> None:
        self.is_hidden = False
        # Of each open run, outermost first, whether what is around it is hidden.
        self._around: list[bool] = []
        self._properties = ""

    @property
    def is_of_mark(self) -> bool:
        """Whether what stands here is a property of the paragraph or its mark, and of no run."""
        return self._properties == "pPr"

    def start(self, name: str, attributes: Attributes) -> None:
        """An element opens."""
        if name == "r":
            self._around.append(self.is_hidden)
        elif name in _PROPERTIES:
            self._properties = self._properties or name
        elif name == "vanish" and self._properties == "rPr" and self._around:
            self.is_hidden = self._around[-1] or is_on(attributes)

    def end(self, name: str) -> None:
        """An element closes."""
        if name == "r" and self._around:
            self.is_hidden = self._around.pop()
        elif name == self._properties:
            self._properties = ""
