"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 50;
  const $ = (id) => document.getElementById(id);
  const list = $("list"), search = $("search"), outcome = $("outcome"), sort = $("sort");
  const make = (tag, cls, text) => {
    const el = document.createElement(tag);
    if (cls) el.className = cls;
    if (text !== undefined) el.textContent = text;
    return el;
  };
  const tone = (word) => word === "ok" ? "good" : ["failed", "partial", "unknown", "rejected"].includes(word) ? "bad" : "doubt";
  const seconds = (ms) => ms === null ? "" : (ms / 1000).toFixed(1) + " s";
  let shown = data.scenes, page = 0, size = PAGE, chosen = [], pictures = [], at = 0;

  for (const word of [...new Set(data.scenes.map((it) => it.outcome))].sort()) {
    const option = make("option", "", word);
    option.value = word;
    outcome.append(option);
  }

  const caption = (scene, image) =>
    [scene.id + " v" + image.v, image.px, image.cost, seconds(image.ms)].filter((it) => it).join(" · ");

  const tile = (scene, image) => {
    const button = make("button", "tile");
    button.type = "button";
    const figure = make("figure");
    const img = make("img");
    img.loading = "lazy";
    img.alt = scene.id + ", image " + image.v;
    img.src = image.src;
    const told = make("figcaption", "", caption(scene, image));
    for (const note of image.notes || []) told.append(" ", make("span", "word doubt", note));
    figure.append(img, told);
    button.append(figure);
    button.picture = { scene, image };
    if (chosen.some((it) => it.image === image)) button.classList.add("chosen");
    button.addEventListener("click", () => open(scene, image));
    return button;
  };

  const reference = (ref) => {
    const box = make("div", "ref");
    if (ref.src) {
      const img = make("img");
      img.loading = "lazy";
      img.alt = "reference";
      img.src = ref.src;
      box.append(img);
    }
    box.append(make("span", "text soft", ref.name));
    return box;
  };

  const article = (scene) => {
    const el = make("article", "scene");
    el.tabIndex = 0;
    const head = make("p");
    head.append(make("h3", "text", scene.id), " ", make("span", "word " + tone(scene.outcome), scene.outcome), " ");
    const facts = [scene.cost, seconds(scene.ms), scene.attempts + (scene.attempts === 1 ? " attempt" : " attempts"), scene.asked];
    head.append(make("span", "soft", facts.filter((it) => it).join(" · ")));
    el.append(head);
    if (scene.reason) el.append(make("p", "text bad", scene.reason));
    if (scene.prompt) el.append(make("p", "text", scene.prompt));
    const strip = make("div", "strip");
    for (const ref of scene.refs) strip.append(reference(ref));
    for (const image of scene.images) strip.append(tile(scene, image));
    el.append(strip);
    return el;
  };

  const draw = () => {
    const pages = Math.max(1, Math.ceil(shown.length / size));
    page = Math.min(page, pages - 1);
    list.replaceChildren(...shown.slice(page * size, (page + 1) * size).map(article));
    $("count").textContent = shown.length + " of " + data.scenes.length + " rows, page " + (page + 1) + " of " + pages;
    $("back").disabled = page === 0;
    $("on").disabled = page >= pages - 1;
  };

  const filter = () => {
    const text = search.value.trim().toLowerCase();
    const fits = (it) => (!outcome.value || it.outcome === outcome.value) &&
      (!text || (it.id + "\n" + it.prompt + "\n" + it.reason).toLowerCase().includes(text));
    shown = data.scenes.filter(fits);
    const by = { cost: (it) => -it.nanos, time: (it) => -(it.ms || 0) }[sort.value];
    if (by) shown = shown.slice().sort((one, other) => by(one) - by(other));
    page = 0;
    draw();
  };
  for (const el of [search, outcome, sort]) el.addEventListener("input", filter);
  $("back").addEventListener("click", () => { page -= 1; draw(); scrollTo(0, list.offsetTop - 60); });
  $("on").addEventListener("click", () => { page += 1; draw(); scrollTo(0, list.offsetTop - 60); });

  const view = $("view"), stage = $("stage"), wipe = $("wipe");
  const show = (...shownPictures) => {
    stage.replaceChildren(...shownPictures.map(({ scene, image }) => {
      const box = make("div"), img = make("img");
      img.alt = caption(scene, image);
      img.src = image.src;
      box.append(img);
      return box;
    }));
    $("told").textContent = shownPictures.map((it) => caption(it.scene, it.image)).join("   |   ");
    $("asked").textContent = [...new Set(shownPictures.map((it) => it.scene.prompt || ""))].join("\n");
    wipe.hidden = !(shownPictures.length === 2 && stage.classList.contains("wipe"));
    if (!view.open) view.showModal();
  };
  const single = () => { stage.classList.remove("wipe"); show(pictures[at]); };
  const open = (scene, image) => {
    pictures = shown.flatMap((it) => it.images.map((one) => ({ scene: it, image: one })));
    at = pictures.findIndex((it) => it.image === image && it.scene === scene);
    single();
  };
  const step = (by) => {
    if (stage.children.length !== 1) return;
    at = (at + by + pictures.length) % pictures.length;
    single();
  };
  const compare = () => { if (chosen.length === 2) show(...chosen); };
  wipe.addEventListener("input", () => stage.style.setProperty("--at", wipe.value + "%"));
  $("prev").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("shut").addEventListener("click", () => view.close());
  $("mode").addEventListener("click", () => mode());
  const mode = () => {
    if (stage.children.length !== 2) return;
    stage.classList.toggle("wipe");
    wipe.hidden = !stage.classList.contains("wipe");
  };

  const choose = (button) => {
    const known = chosen.findIndex((it) => it.image === button.picture.image);
    if (known >= 0) chosen.splice(known, 1);
    else { chosen.push(button.picture); chosen = chosen.slice(-2); }
    for (const el of document.querySelectorAll(".tile"))
      el.classList.toggle("chosen", chosen.some((it) => it.image === el.picture.image));
    $("chosen").textContent = chosen.length ? chosen.length + " chosen to compare" : "";
    compare();
  };
  const move = (by) => {
    const all = [...document.querySelectorAll(".scene")];
    const now = all.indexOf(document.activeElement && document.activeElement.closest(".scene"));
    const next = all[Math.max(0, Math.min(all.length - 1, now + by))];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  };

  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target !== wipe;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key;
    if (view.open) {
      if (key === "ArrowLeft" && event.target !== wipe) step(-1);
      else if (key === "ArrowRight" && event.target !== wipe) step(1);
      else if (key === "w") mode();
      return;
    }
    if (typing) { if (key === "Escape") event.target.blur(); return; }
    if (key === "/") { event.preventDefault(); search.focus(); }
    else if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "n" && !$("on").disabled) $("on").click();
    else if (key === "p" && !$("back").disabled) $("back").click();
    else if (key === "c") {
      const button = document.activeElement && document.activeElement.closest(".tile");
      if (button) choose(button);
    } else if (key === "Enter" && document.activeElement.classList.contains("scene")) {
      const first = document.activeElement.querySelector(".tile");
      if (first) first.click();
    }
  });
  addEventListener("beforeprint", () => { size = Math.max(1, shown.length); page = 0; draw(); });
  addEventListener("afterprint", () => { size = PAGE; draw(); });
  draw();
})();
