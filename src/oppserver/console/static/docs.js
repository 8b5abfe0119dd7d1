"use strict";
// The page of the API: Swagger UI on this server's own document. Nothing comes from elsewhere.

const root = document.body.dataset.root;
const ARROW = "application/vnd.apache.arrow.stream";
const NDJSON = "application/x-ndjson";
const UPLOADED = ["application/octet-stream", "image/", "audio/", "video/", ARROW];
const FILE_ENDS = {[ARROW]: "arrow", "application/vnd.apache.parquet": "parquet", "text/csv": "csv",
                   [NDJSON]: "ndjson", "application/json": "json"};
const SHOWN_CHARACTERS_MAX = 200_000;  // chosen: a browser colours as much at once

// --- keys: they stay in this tab until it is closed, also when it is loaded again --------------

const KEPT = `oppserver keys ${root}`;
const keys = document.getElementById("keys");
const fields = ["access", "secret", "place"];

function restoreKeys() {
  let kept = {};
  try { kept = JSON.parse(sessionStorage.getItem(KEPT)) || {}; } catch { /* a browser without it */ }
  for (const name of fields) if (kept[name]) keys.elements[name].value = kept[name];
}
function useKeys() {
  const [access, secret, place] = fields.map(name => keys.elements[name].value.trim());
  try { sessionStorage.setItem(KEPT, JSON.stringify({access, secret, place})); } catch { /* as above */ }
  ui.authActions.authorize({});
  ui.authActions.logout(["AccessKeyHeader", "SecretKeyHeader", "AccessKeyQuery", "SecretKeyQuery"]);
  if (access) ui.preauthorizeApiKey(`AccessKey${place}`, access);
  if (secret) ui.preauthorizeApiKey(`SecretKey${place}`, secret);
}

// --- the filter: all words, anywhere in a call's group, path and texts -------------------------

function Filter() {
  const isFound = (words, group) => one => {
    const operation = one.get("operation");
    const texts = [group, one.get("method"), one.get("path"), operation.get("operationId"),
                   operation.get("summary"), operation.get("description")];
    const text = texts.join(" ").toLowerCase();
    return words.every(word => text.includes(word));
  };
  const opsFilter = (groups, phrase) => {
    const words = phrase.toLowerCase().split(/\s+/);
    return groups
      .map((group, name) => group.update("operations", all => all.filter(isFound(words, name))))
      .filter(group => group.get("operations").size);
  };
  return {fn: {opsFilter}};
}

// --- answers: lines of JSON are text; binary and long ones are files ---------------------------

function Answers({React}) {
  const shown = props => {
    const [type] = (props.contentType || "").split(";");
    if (props.content instanceof Blob || props.content.length > SHOWN_CHARACTERS_MAX) {
      const name = `answer.${FILE_ENDS[type] || "txt"}`;
      const headers = {"content-disposition": `attachment; filename="${name}"`};
      return {...props, contentType: "application/octet-stream", headers};
    }
    return type === NDJSON ? {...props, contentType: "text/plain"} : props;
  };
  const responseBody = Original => props => React.createElement(Original, shown(props));
  return {wrapComponents: {responseBody}};
}

// --- a binary body: the example is sent until another file is chosen ---------------------------

function BinaryExamples(system) {
  const setRequestContentType = original => given => {
    const [path, method] = given.pathMethod;
    const content = ["paths", path, method, "requestBody", "content", given.value];
    const example = system.specSelectors.specJson().getIn([...content, "x-example-file"]);
    if (example) {
      fetch(example).then(answer => answer.blob()).then(value =>
        system.oas3Actions.setRequestBodyValue({value, pathMethod: given.pathMethod}));
    }
    return original(given);
  };
  return {statePlugins: {oas3: {wrapActions: {setRequestContentType}}}};
}

// --- lines of JSON: the example is shown as it is, not as the text of one JSON value -----------

function Lines() {
  return {afterLoad() {
    const original = this.fn.getSampleSchema;
    this.fn.getSampleSchema = (schema, type, options, example) =>
      type === NDJSON && typeof example === "string" ? example : original(schema, type, options, example);
  }};
}

// --- the page -----------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const ui = SwaggerUIBundle({
  url: `${root}openapi.json`,
  dom_id: "#docs",
  plugins: [Filter, Answers, Lines, BinaryExamples],
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  docExpansion: "list",
  fileUploadMediaTypes: UPLOADED,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  onComplete: () => {
    restoreKeys();
    useKeys();
    keys.addEventListener("input", useKeys);
    keys.addEventListener("submit", event => event.preventDefault());
    document.querySelector(".operation-filter-input").placeholder = "Filter the calls";
  },
});
