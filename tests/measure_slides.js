// Lays every slide out with all its steps in view, and measures what is on it, in px of a 1280 × 720 slide.
() => {
  const slides = [...document.querySelectorAll("svg.bespoke-marp-slide")];
  return slides.map((slide, index) => {
    slides.forEach((other) => other.classList.toggle("bespoke-marp-active", other === slide));
    slide.querySelectorAll("[data-bespoke-marp-fragment]").forEach((step) => {
      step.setAttribute("data-bespoke-marp-fragment", "active");
    });
    const section = slide.querySelector("section");
    const all = (selector) => [...section.querySelectorAll(selector)];
    const frame = section.getBoundingClientRect();
    const scale = frame.width / 1280;
    const rect = (e) => {
      const r = e.getBoundingClientRect();
      return [r.left - frame.left, r.top - frame.top, r.right - frame.left, r.bottom - frame.top].map((x) => x / scale);
    };
    const name = (e) => e.dataset?.tex || e.textContent.trim().slice(0, 40) || e.tagName;
    const named = (e) => [`${e.tagName} ${name(e)}`, rect(e)];
    const seen = (e) => e.getBoundingClientRect().width > 0 && !e.classList.contains("pulse");
    const size = (e) => parseFloat(getComputedStyle(e).fontSize);
    const zoom = (figure) => figure.getBoundingClientRect().width / figure.viewBox.baseVal.width / scale;

    const texts = [];
    const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const e = walker.currentNode.parentElement;
      if (walker.currentNode.data.trim() && !e.closest("style, svg")) texts.push([name(e), size(e)]);
    }
    return {
      number: index + 1,
      texts,
      formulas: all("mjx-container").map((e) => [name(e.querySelector("svg")), size(e)]),
      labels: all("svg.figure .tex, svg.figure .words").filter((e) => !e.closest(".before")).map((e) => ({
        tex: name(e),
        size: parseFloat(e.dataset.size) * zoom(e.closest("svg.figure")),
        rect: rect(e),
      })),
      boxes: all("*").filter((e) => seen(e) && !e.closest(".search") && !e.closest("mjx-container svg *")).map(named),
      blocks: [...section.children].filter(seen).map(named),
      images: all("svg").filter((e) => !e.parentElement.closest("section svg"))
        .map((e) => [e.getAttribute("role"), e.getAttribute("aria-label") || ""]),
    };
  });
}
